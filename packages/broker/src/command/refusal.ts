/** What is wrong with the command line. */
export class Refusal extends Error {}
