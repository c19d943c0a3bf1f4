-- Who handed a conversation back is now kept with when: [{"agent","at"}]. Without it, it counts as long ago.
UPDATE conversations SET declined = '[]' WHERE declined <> '[]';
