module hallpass

go 1.26.0
