"""What resolvers and forwarders did for each query: out of their cache, or by asking upstream."""
