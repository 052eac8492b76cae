// What next-env.d.ts says, kept in the repository so that a type check needs no build before it.
/// <reference types="next" />
/// <reference types="next/image-types/global" />
