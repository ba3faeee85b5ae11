/** Bearer: the token of an Authorization header (RFC 6750, 2.1); the scheme's case does not matter. */
export const bearerOf = (authorization: string | undefined): string | undefined =>
  authorization !== undefined &&
  authorization.length > 7 &&
  authorization.slice(0, 7).toLowerCase() === 'bearer '
    ? authorization.slice(7).trim()
    : undefined;
