// Tenant domains in other values. White space is that of ASCII, so that both spellings of the plugin agree.

/** The tenant domain that an API context begins with: `/t/<domain>/…`, `/t/<domain>`, with or without the first slash; a query does not belong to it. */
export function domainIn(context: string | undefined): string | undefined {
  if (context === undefined) return undefined;
  const found = /^[ \t\n\f\r]*\/?t\/([^/?#;]*)/.exec(context)?.[1];
  const domain = found === undefined ? "" : trim(found);
  return domain === "" ? undefined : domain;
}

/** The tenant domain of an account: what follows the last `@`, since the user may be an e-mail address. */
export function domainOf(user: string | undefined): string | undefined {
  const at = user === undefined ? -1 : user.lastIndexOf("@");
  return user === undefined || at < 0 ? undefined : trim(user.slice(at + 1));
}

function trim(text: string): string {
  return text.replace(/^[ \t\n\f\r]+|[ \t\n\f\r]+$/g, "");
}
