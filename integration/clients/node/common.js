// What every client program sends and expects; integration/src/scenario.rs knows the same by heart.

export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
export const COUNT = 100
// With one record in the batch, its headers and lengths, this is exactly Kafka's default limit of 1,048,588 bytes.
export const LARGEST_VALUE = 1_048_516
export const ONE_MIB = 1 << 20
export const TIMES = 10
export const BASE_TIME = Date.now() - 60_000

let checks = 0

// Counts a check; ends the program at the first that fails.
export function check (what, good, seen) {
  if (!good) throw new Error(`FAILED ${what}: ${show(seen)}`)
  checks += 1
}

// Compares by what they print as, Buffers and BigInts included.
export function same (what, seen, expected) {
  check(what, show(seen) === show(expected), `${show(seen)?.slice(0, 500)} instead of ${show(expected)?.slice(0, 500)}`)
}

function show (value) {
  return JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one))
}

export const key = i => Buffer.from(`key-${i}`)
export const value = i => Buffer.from(`value-${i}-` + 'x'.repeat((i * 7) % 50))
export const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

export function large (size) {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = ((i % 251) * 31) % 251
  return bytes
}

// The error that `action` throws.
export async function failure (what, action) {
  try {
    await action()
  } catch (error) {
    return error
  }
  throw new Error(`FAILED ${what}: no error`)
}

export function finish (name, version) {
  console.log(`OK ${name} ${version} checks=${checks}`)
  process.exit(0)
}
