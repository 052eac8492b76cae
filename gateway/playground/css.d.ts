/** Bun gathers what is imported like this into the bundle's style sheet. */
declare module "*.css"
