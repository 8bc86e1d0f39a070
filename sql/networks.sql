-- Networks are foreign-data wrappers without a handler: CREATE SERVER keeps and checks an account,
-- and nothing can be selected from it.

create foreign data wrapper tradetracker validator s2s.tradetracker_validator;
create foreign data wrapper linktrust validator s2s.linktrust_validator;
create foreign data wrapper postback validator s2s.postback_validator;
