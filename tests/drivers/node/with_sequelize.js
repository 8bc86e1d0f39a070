// The cases with Sequelize on pg: click ids are mapped as text.

const { types } = require('pg')
const { DataTypes, Op, QueryTypes, Sequelize } = require('sequelize')
const { A, B, assert, fresh, report, versionOf } = require('./cases')

const { PGHOST, PGPORT, PGUSER, PGDATABASE } = process.env
const database = new Sequelize(PGDATABASE, PGUSER, '', {
  dialect: 'postgres', host: PGHOST, port: PGPORT, logging: false, define: { timestamps: false },
})

const Click = database.define('click', {
  click_id: { type: DataTypes.TEXT, primaryKey: true },
  page: DataTypes.TEXT,
}, { tableName: 'clicks' })

const Visit = database.define('visit', {
  click_id: DataTypes.TEXT,
  visitor: { type: DataTypes.TEXT, primaryKey: true },
}, { tableName: 'visits' })
Visit.belongsTo(Click, { foreignKey: 'click_id', constraints: false })

const Journey = database.define('journey', {
  visitor: { type: DataTypes.TEXT, primaryKey: true },
  click_ids: DataTypes.ARRAY(DataTypes.TEXT),
}, { tableName: 'journeys' })

const Order = database.define('order', {
  id: { type: DataTypes.INTEGER, primaryKey: true },
  click_id: DataTypes.TEXT,
}, { tableName: 'orders' })

const Callback = database.define('callback', {
  id: { type: DataTypes.BIGINT, primaryKey: true },
  transaction_id: DataTypes.TEXT,
  click_id: DataTypes.TEXT,
}, { schema: 's2s', tableName: 'queue' })

/** Asserts which pages a condition finds. */
async function finds(where, expected) {
  const clicks = await Click.findAll({ where, order: ['page'] })
  assert.deepEqual(clicks.map((click) => click.page), expected)
}

async function insert() {
  await Click.create({ click_id: fresh(), page: '/insert' })
  await Click.bulkCreate([fresh(), fresh()].map((id) => ({ click_id: id, page: '/insert' })))
  await finds({ page: '/insert' }, ['/insert', '/insert', '/insert'])
}

async function read() {
  assert.equal((await Click.findOne({ where: { page: '/a' } })).click_id, A)
}

async function join() {
  const visits = await Visit.findAll({ include: { model: Click, where: { page: '/a' } } })
  assert.deepEqual(visits.map((visit) => visit.visitor), ['ann'])
}

async function array() {
  await Journey.upsert({ visitor: 'bob', click_ids: [A, B] })
  const journeys = await Journey.findAll()
  assert.deepEqual(journeys.map((journey) => journey.click_ids), [[A, B], [A, B]])
}

async function registeredArray() {
  const [{ oid }] = await database.query("select 's2s.click_id[]'::regtype::oid as oid", { type: QueryTypes.SELECT })
  const textArray = 1009
  types.setTypeParser(oid, types.getTypeParser(textArray))
  await array()
}

async function prepared() {
  const query = 'select page from clicks where click_id = $id::text'
  const rows = await database.query(query, { bind: { id: A }, type: QueryTypes.SELECT })
  assert.deepEqual(rows, [{ page: '/a' }])
}

async function get() {
  assert.equal((await Click.findByPk(A)).page, '/a')
}

async function filter() {
  await finds({ click_id: A }, ['/a'])
  await finds({ click_id: { [Op.startsWith]: '0::12345::b' } }, ['/b'])
}

async function callback() {
  await Order.create({ id: 1, click_id: A })
  const queued = await Callback.findAll({ where: { transaction_id: '1' } })
  assert.equal(queued.length, 1)
  assert.ok(Number(queued[0].id) > 0)
  assert.equal(queued[0].click_id, A)
}

report(versionOf('sequelize'), {
  insert,
  read,
  '=': () => finds({ click_id: { [Op.eq]: A } }, ['/a']),
  in: () => finds({ click_id: [A, B] }, ['/a', '/b']),
  any: () => finds({ click_id: { [Op.eq]: { [Op.any]: [A, B] } } }, ['/a', '/b']),
  join,
  array: { '': array, type: registeredArray },
  prepared,
  get,
  filter,
  callback,
}).then(() => database.close())
