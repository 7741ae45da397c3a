module headgate.dev/lab/probe

go 1.26.0
