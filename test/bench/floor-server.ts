import express from 'express';

/**
 * What any extender in this language has to pay: the body is parsed by the same framework, and
 * the same names are answered, with no decision in between.
 */
const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(express.json({ limit: '16mb', type: () => true }));
app.get('/ready', (_req, res) => void res.send('ok'));
app.post('/filter', (req, res) => {
  const { NodeNames } = req.body as { NodeNames: readonly string[] };
  res.json({ NodeNames, FailedNodes: {}, FailedAndUnresolvableNodes: {}, Error: '' });
});
app.listen(Number(process.argv[2]), '127.0.0.1');
