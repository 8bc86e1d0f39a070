-- Networks are foreign-data wrappers without a handler: CREATE SERVER keeps and checks an account,
-- and nothing can be selected from it.

create foreign data wrapper tradetracker validator s2s.tradetracker_validator;
