/** Files of packages that the Worker serves as they are: see `rules` in wrangler.toml. */
declare module "swagger-ui-dist/swagger-ui-bundle.js" {
  const bytes: ArrayBuffer;
  export default bytes;
}
declare module "swagger-ui-dist/swagger-ui.css" {
  const bytes: ArrayBuffer;
  export default bytes;
}
