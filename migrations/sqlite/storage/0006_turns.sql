-- To whom routing gave a team's last conversation.
CREATE TABLE turns (
    team  INTEGER PRIMARY KEY REFERENCES teams (id),
    agent INTEGER NOT NULL REFERENCES agents (id)
) STRICT;
