"""A run on this machine: the runtime's interpreter, Java, connector jars, the job folder and the child process.

Called by ``headgate.cli`` alone. Nothing here decides what a job means: that is ``headgate.planning`` and the runtime.
"""
