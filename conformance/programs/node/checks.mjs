// Runs named checks, one at a time: a name comes in on standard input, a line with the verdict goes out.
//
// A verdict is "@@ ok" or "@@ failed WHY", line ends in the reason escaped. The end of standard input ends the program.
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

const TIMEOUT_MS = 60_000

export const unique = (prefix) => `${prefix}-${randomBytes(4).toString('hex')}`

export const numbered = (count) => Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: `value ${i}` }))

/** Waits until a condition holds. */
export async function eventually (what, condition) {
  const deadline = Date.now() + TIMEOUT_MS / 2
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited too long for ${what}`)
    await pause(20)
  }
}

export async function serve (checks) {
  for await (const name of createInterface({ input: process.stdin })) {
    console.log('@@', name === '?' ? Object.keys(checks).join(' ') : await verdict(checks[name]))
  }
  process.exit(0)
}

async function verdict (check) {
  if (!check) return 'failed no such check'
  const tooLong = new AbortController()
  try {
    await Promise.race([
      check(),
      pause(TIMEOUT_MS, null, { signal: tooLong.signal }).then(() => { throw new Error('not done after 60 s') })
    ])
    return 'ok'
  } catch (error) {
    const causes = (error.errors ?? []).map((each) => each.stack ?? String(each)).join('\n')
    return 'failed ' + `${error.stack ?? error}\n${causes}`.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  } finally {
    tooLong.abort()
  }
}
