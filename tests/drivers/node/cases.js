// What the Node programs share: the click ids of shop.sql, and how a case is tried and reported.

const assert = require('node:assert/strict')
const { join } = require('node:path')

const A = '0::12345::a::::1405418672'
const B = '0::12345::b::::1405418672'

const CASES = [
  'insert', 'read', '=', 'in', 'any', 'join', 'array', 'prepared',
  'binary', 'copy', 'binary copy', 'get', 'filter', 'callback',
]

let number = 0

/** A click id that is in no table yet. */
const fresh = () => `0::12345::fresh${++number}::::1405418672`

/** The version of an installed package. */
const versionOf = (name) => require(join(process.env.NODE_PATH, name, 'package.json')).version

/**
 * Tries each case as it is, then with what it may need, and prints a line for it. `cases` has a
 * function for each case, or an object of them by what they need, '' first.
 */
async function report(version, cases) {
  console.log(`version\t${version}`)
  for (const name of CASES) {
    const ways = cases[name] ?? {}
    console.log(`${name}\t${await outcome(name, typeof ways === 'function' ? { '': ways } : ways)}`)
  }
}

async function outcome(name, ways) {
  for (const [need, way] of Object.entries(ways)) {
    try {
      await way()
      return need ? `needs ${need}` : 'ok'
    } catch (error) {
      console.error(`${name}, ${need || 'as it is'}: ${error.message}`)
    }
  }
  return Object.keys(ways).length ? 'fails' : 'none'
}

module.exports = { A, B, assert, fresh, report, versionOf }
