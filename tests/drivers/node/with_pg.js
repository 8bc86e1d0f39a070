// The cases with pg, which sends values as text without a type, and leaves COPY to pg-copy-streams.

const { pipeline } = require('node:stream/promises')
const { text } = require('node:stream/consumers')
const { Readable } = require('node:stream')
const { Client } = require('pg')
const { from, to } = require('pg-copy-streams')
const { A, B, assert, fresh, report, versionOf } = require('./cases')

/** Calls `use` with a connection of its own. */
async function connected(use, options = {}) {
  const client = new Client(options)
  await client.connect()
  try {
    await use(client)
  } finally {
    await client.end()
  }
}

/** A case that asserts what a query returns. */
const returns = (query, values, expected) => () =>
  connected(async (client) => {
    const result = await client.query({ text: query, values, rowMode: 'array' })
    assert.deepEqual(result.rows, expected)
  })

const insert = () =>
  connected(async (client) => {
    const query = "insert into clicks values ($1, '/insert')"
    assert.equal((await client.query(query, [fresh()])).rowCount, 1)
    assert.equal((await client.query(`${query}, ($2, '/insert')`, [fresh(), fresh()])).rowCount, 2)
  })

async function array(client) {
  await client.query("insert into journeys values ('bob', $1) on conflict do nothing", [[A, B]])
  const { rows } = await client.query("select click_ids from journeys where visitor in ('ann', 'bob')")
  assert.deepEqual(rows, [{ click_ids: [A, B] }, { click_ids: [A, B] }])
}

async function registeredArray(client) {
  const { rows } = await client.query("select 's2s.click_id[]'::regtype::oid as oid")
  const textArray = 1009
  client.setTypeParser(rows[0].oid, client.getTypeParser(textArray))
  await array(client)
}

const prepared = () =>
  connected(async (client) => {
    const page = { name: 'page_of', text: 'select page from clicks where click_id = $1::text' }
    const pages = { name: 'pages_of', text: 'select page from clicks where click_id = any($1::text[])' }
    for (const again of [1, 2]) {
      assert.deepEqual((await client.query({ ...page, values: [A] })).rows, [{ page: '/a' }])
      assert.deepEqual((await client.query({ ...pages, values: [[A]] })).rows, [{ page: '/a' }])
    }
  })

const binary = () =>
  connected(async (client) => {
    const { rows } = await client.query('select click_id from clicks where click_id = $1', [A])
    assert.deepEqual(rows, [{ click_id: A }])
  }, { binary: true })

const copy = () =>
  connected(async (client) => {
    const ids = [fresh(), fresh()]
    await pipeline(Readable.from(ids.map((id) => `${id}\t/copy\n`)), client.query(from('copy clicks from stdin')))
    const copied = client.query(to("copy (select click_id from clicks where page = '/copy' order by 1) to stdout"))
    assert.equal(await text(copied), ids.map((id) => `${id}\n`).join(''))
  })

const callback = () =>
  connected(async (client) => {
    await client.query('insert into orders values (1, $1)', [A])
    const { rows } = await client.query('select id, click_id from s2s.queue where transaction_id = $1', ['1'])
    assert.equal(rows.length, 1)
    assert.ok(Number(rows[0].id) > 0)
    assert.equal(rows[0].click_id, A)
  })

report(versionOf('pg'), {
  insert,
  read: returns("select click_id from clicks where page = '/a'", [], [[A]]),
  '=': returns('select page from clicks where click_id = $1', [A], [['/a']]),
  in: returns('select page from clicks where click_id in ($1, $2) order by page', [A, B], [['/a'], ['/b']]),
  any: returns('select page from clicks where click_id = any($1) order by page', [[A, B]], [['/a'], ['/b']]),
  join: returns(
    'select visitor from visits join clicks using (click_id) where page = $1', ['/a'], [['ann']]),
  array: { '': () => connected(array), type: () => connected(registeredArray) },
  prepared,
  binary,
  copy: { 'pg-copy-streams': copy },
  callback,
})
