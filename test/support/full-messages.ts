import { config } from 'chai';

/** A failed assertion shows the whole of both values: the end of a text is often what differs. */
config.truncateThreshold = 0;
