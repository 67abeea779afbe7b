#!/usr/bin/env node
import { Command } from 'commander';
import { dlqCommand } from './dlq/dlq.command.js';
import { topologyCommand } from './topology/topology.command.js';

// `onnxmq dlq ls | head` is no failure.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));

await new Command('onnxmq')
  .description('Tools of an onnxmq worker.')
  .showHelpAfterError()
  .addCommand(dlqCommand())
  .addCommand(topologyCommand())
  .parseAsync();
