/** Structures of processes and directories, as in `layout.ts`. @module */

/** `siginfo_t`, as waitid(2) fills it. */
export const siginfo_t = {
  size: 128,
  si_signo: 0,
  si_errno: 4,
  si_code: 8,
  si_pid: 16,
  si_uid: 20,
  si_status: 24,
} as const;

/** `struct linux_dirent64`: an entry of a directory, up to a name with a NUL. */
export const dirent64 = {
  d_ino: 0,
  d_off: 8,
  d_reclen: 16,
  d_type: 18,
  d_name: 19,
} as const;
