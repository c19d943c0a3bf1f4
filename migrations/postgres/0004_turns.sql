-- To whom routing gave a team's last conversation.
CREATE TABLE turns (
    team  BIGINT PRIMARY KEY REFERENCES teams (id),
    agent BIGINT NOT NULL REFERENCES agents (id)
);
