"""PostgreSQL and Valkey as child processes, for `tanpuhui up`, the demo and the tests: loopback only, gone with us."""
