// The cases with postgres.js, which asks PostgreSQL for the types of parameters and for those of arrays.

const { pipeline } = require('node:stream/promises')
const { text } = require('node:stream/consumers')
const { Readable } = require('node:stream')
const postgres = require('postgres')
const { A, B, assert, fresh, report, versionOf } = require('./cases')

const sql = postgres()

/** Asserts what a query returns. */
const returns = async (query, expected) => assert.deepEqual(Array.from(await query.values()), expected)

async function insert() {
  await sql`insert into clicks ${sql({ click_id: fresh(), page: '/insert' })}`
  await sql`insert into clicks ${sql([fresh(), fresh()].map((id) => ({ click_id: id, page: '/insert' })))}`
  await returns(sql`select count(*)::integer from clicks where page = '/insert'`, [[3]])
}

async function array() {
  await sql`insert into journeys values ('bob', ${[A, B]}) on conflict do nothing`
  await returns(sql`select click_ids from journeys where visitor in ('ann', 'bob')`, [[[A, B]], [[A, B]]])
}

async function prepared() {
  for (const again of [1, 2]) {
    await returns(sql`select page from clicks where click_id = ${A}::text`, [['/a']])
    await returns(sql`select page from clicks where click_id = any(${[A]}::text[])`, [['/a']])
  }
}

async function copy() {
  const ids = [fresh(), fresh()]
  await pipeline(Readable.from(ids.map((id) => `${id}\t/copy\n`)), await sql`copy clicks from stdin`.writable())
  const copied = await sql`copy (select click_id from clicks where page = '/copy' order by 1) to stdout`.readable()
  assert.equal(await text(copied), ids.map((id) => `${id}\n`).join(''))
}

async function callback() {
  await sql`insert into orders values (1, ${A})`
  const [queued, ...others] = await sql`select id, click_id from s2s.queue where transaction_id = ${'1'}`
  assert.equal(others.length, 0)
  assert.ok(Number(queued.id) > 0)
  assert.equal(queued.click_id, A)
}

report(versionOf('postgres'), {
  insert,
  read: () => returns(sql`select click_id from clicks where page = '/a'`, [[A]]),
  '=': () => returns(sql`select page from clicks where click_id = ${A}`, [['/a']]),
  in: () => returns(sql`select page from clicks where click_id in ${sql([A, B])} order by page`, [['/a'], ['/b']]),
  any: () => returns(sql`select page from clicks where click_id = any(${[A, B]}) order by page`, [['/a'], ['/b']]),
  join: () => returns(
    sql`select visitor from visits join clicks using (click_id) where page = ${'/a'}`, [['ann']]),
  array,
  prepared,
  copy,
  callback,
}).then(() => sql.end())
