/** The version in this package's manifest. Written here by `npm run version-packages`: bundlers can't read the manifest. */
export const packageVersion = '0.0.0'
