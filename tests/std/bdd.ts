/** Stand-in for `@std/testing/bdd`, over node:test. */
export {
  after as afterAll,
  afterEach,
  before as beforeAll,
  beforeEach,
  describe,
  it,
} from "node:test";
