/** Prints which signals a child of this program blocks. */
const { stdout } = await new Deno.Command("cat", {
  args: ["/proc/self/status"],
}).output();
const status = new TextDecoder().decode(stdout);
console.log(/SigBlk:\s*(\w+)/.exec(status)?.[1]);
