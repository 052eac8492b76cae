import { answerTooLarge } from "@parley/link/work.ts"
import { ParleyError } from "@parley/platform/errors.ts"
import { ANSWER_BYTES } from "@parley/platform/limits.ts"
import { FETCHED_PER_ANSWER, MAX_OPERATION_REPRESENTATIONS } from "../limits.ts"

/** What one operation has fetched from subgraphs so far, and how much it may. */
export class Spent {
  private representations = 0
  private fetched = 0
  private copied = 0

  constructor(private readonly answerBytes = ANSWER_BYTES) {}

  /** Entities are about to be looked up. @throws ParleyError TOO_LARGE */
  lookUp(representations: number): void {
    this.representations += representations
    if (this.representations > MAX_OPERATION_REPRESENTATIONS) {
      throw new ParleyError(
        "TOO_LARGE",
        `This asks for more than ${MAX_OPERATION_REPRESENTATIONS} users and the like: ask for fewer items.`,
      )
    }
  }

  /** A subgraph has answered. @throws ParleyError TOO_LARGE */
  fetch(characters: number): void {
    this.fetched += characters
    if (this.fetched > FETCHED_PER_ANSWER * this.answerBytes) throw answerTooLarge(this.answerBytes)
  }

  /** An entity becomes part of the answer, once for each place that it has there. @throws ParleyError TOO_LARGE */
  copy(characters: number): void {
    this.copied += characters
    if (this.copied > this.answerBytes) throw answerTooLarge(this.answerBytes)
  }
}
