"""Stages of work over one shard as plain functions, and the pool that spreads them over Ray actors."""
