/** Service failed: what a run cannot go on without did not start; its message is for a person, as it stands. */
export class ServiceFailed extends Error {
  override readonly name = 'ServiceFailed';
}
