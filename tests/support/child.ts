/** The child of support_test.ts: prints `ready`, then ends as it is told to. */
console.log("ready");
Deno.openSync("deno.json").close();
if (Deno.args[0] === "wait") setInterval(() => {}, 60_000);
if (Deno.args[0] === "fail") {
  console.error("failed");
  Deno.exit(3);
}
