/** Trim: placeholder */
import type {Plugin} from 'esbuild';
export const trimmed: readonly Plugin[] = [];
