-- Advances the sequence of tickets if it was set back.
select set_back, highest from pgjobq.repair_tickets()
