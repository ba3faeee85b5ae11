/**
CRC-32C: the checksum of a batch of Kafka's records (Castagnoli's polynomial, RFC 3720 appendix B.4).

Eight bytes a step, by eight tables ("slicing by 8"): byte by byte it took a twentieth of a request's processor time.
*/
const polynomial = 0x82f63b78;
const tables = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte += 1) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  }
  tables[byte] = crc;
}
for (let at = 256; at < tables.length; at += 1) {
  const before = tables[at - 256] as number;
  tables[at] = (before >>> 8) ^ (tables[before & 0xff] as number);
}

const look = (at: number) => tables[at] as number;

/** Of the bytes from `start` to before `end`; 32 bits, unsigned. */
export const crc32c = (bytes: Uint8Array, start = 0, end = bytes.length): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let crc = -1;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low = crc ^ view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    crc =
      look(1792 + (low & 0xff)) ^
      look(1536 + ((low >>> 8) & 0xff)) ^
      look(1280 + ((low >>> 16) & 0xff)) ^
      look(1024 + (low >>> 24)) ^
      look(768 + (high & 0xff)) ^
      look(512 + ((high >>> 8) & 0xff)) ^
      look(256 + ((high >>> 16) & 0xff)) ^
      look(high >>> 24);
  }
  for (; at < end; at += 1) {
    crc = look((crc ^ (bytes[at] as number)) & 0xff) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
};
