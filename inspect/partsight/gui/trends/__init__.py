"""Trends: yield, p-chart, Pareto and latency over a shift, a day, a week."""
