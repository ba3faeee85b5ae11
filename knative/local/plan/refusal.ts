/** Refusal: one complaint about one resource; `path` leads to the field, so that the complaint can name its line. */
import type {Path} from './manifests.ts';

export class Refusal extends Error {
  readonly path: Path;

  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}
