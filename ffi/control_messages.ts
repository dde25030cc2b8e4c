/** What rides along with a message: descriptors, and who the peer is. @module */

import { int32 } from "./arguments.ts";
import { SCM_RIGHTS, SOL_SOCKET } from "./constants_socket.ts";
import { cmsghdr, ucred } from "./layout.ts";
import type { Bytes } from "./system_calls.ts";

/** The most descriptors of one message. */
export const SCM_MAX_FD = 253;

/** Control data are aligned to this. */
const ALIGNMENT = 8;

/** Bytes of control data that `count` descriptors take: CMSG_SPACE. */
export function descriptorsSpace(count: number): number {
  return Math.ceil((cmsghdr.size + 4 * count) / ALIGNMENT) * ALIGNMENT;
}

/**
 * Control data for {@linkcode sendmsg} that carry descriptors: one `struct
 * cmsghdr` of SCM_RIGHTS. Throws RangeError unless there are 1 to 253.
 */
export function encodeDescriptors(descriptors: readonly number[]): Bytes {
  const count = descriptors.length;
  if (count < 1 || count > SCM_MAX_FD) {
    throw new RangeError(
      `Cannot pass descriptors: a message carries 1 to ${SCM_MAX_FD}, and there are ${count}`,
    );
  }
  const control = new Uint8Array(descriptorsSpace(count));
  const view = new DataView(control.buffer);
  view.setUint32(cmsghdr.cmsg_len, cmsghdr.size + 4 * count, true);
  view.setInt32(cmsghdr.cmsg_level, SOL_SOCKET, true);
  view.setInt32(cmsghdr.cmsg_type, SCM_RIGHTS, true);
  for (let index = 0; index < count; index++) {
    const fd = int32(descriptors[index]);
    view.setInt32(cmsghdr.size + 4 * index, fd, true);
  }
  return control;
}

/** The descriptors in the first `length` bytes of received control data. */
export function decodeDescriptors(control: Bytes, length: number): number[] {
  const { buffer, byteOffset } = control;
  const view = new DataView(buffer, byteOffset, length);
  const descriptors: number[] = [];
  for (let at = 0; at + cmsghdr.size <= length;) {
    const size = view.getUint32(at + cmsghdr.cmsg_len, true);
    const level = view.getInt32(at + cmsghdr.cmsg_level, true);
    const type = view.getInt32(at + cmsghdr.cmsg_type, true);
    if (size < cmsghdr.size) break;
    const end = Math.min(at + size, length);
    if (level === SOL_SOCKET && type === SCM_RIGHTS) {
      for (let fd = at + cmsghdr.size; fd + 4 <= end; fd += 4) {
        descriptors.push(view.getInt32(fd, true));
      }
    }
    at += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
  }
  return descriptors;
}

/** Who is at the other end of a unix socket: `struct ucred`. */
export interface PeerCredentials {
  /** The process that connected, or listened: its id in this process's namespace. */
  readonly pid: number;
  /** Its effective user. */
  readonly uid: number;
  /** Its effective group. */
  readonly gid: number;
}

/** What SO_PEERCRED gave. */
export function decodeCredentials(bytes: Bytes): PeerCredentials {
  const view = new DataView(bytes.buffer, bytes.byteOffset, ucred.size);
  return {
    pid: view.getInt32(ucred.pid, true),
    uid: view.getUint32(ucred.uid, true),
    gid: view.getUint32(ucred.gid, true),
  };
}
