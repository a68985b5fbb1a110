-- What a guest posted to the metadata service: a password that it made, encrypted by it for the owner of its key.
ALTER TABLE server_specs ADD COLUMN guest_password TEXT;
