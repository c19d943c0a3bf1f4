-- A visitor's name is from now on the site's word only: what people called themselves is in their conversations.
UPDATE visitors SET name = NULL WHERE identity IS NULL;
