namespace PgBackup.TestServers;

/// <summary>The configuration files of Swift.</summary>
internal static class SwiftConfiguration
{
    /// <summary>What all its servers must agree on.</summary>
    public const string Hash = """
        [swift-hash]
        swift_hash_path_prefix = tests
        swift_hash_path_suffix = tests
        [storage-policy:0]
        name = Policy-0
        default = yes

        """;

    /// <summary>A server of accounts, containers or objects.</summary>
    public static string Storage(string folder, string kind, int port) => $"""
        [DEFAULT]
        swift_dir = {folder}
        devices = {folder}/devices
        mount_check = false
        disable_fallocate = true
        bind_ip = 127.0.0.1
        bind_port = {port}
        workers = 1
        user = {Environment.UserName}
        log_statsd_host =
        [pipeline:main]
        pipeline = {kind}-server
        [app:{kind}-server]
        use = egg:swift#{kind}
        recon_cache_path = {folder}
        recon_lock_path = {folder}

        """;

    /// <summary>The server that clients speak to, with the S3 middleware.</summary>
    public static string Proxy(string folder, int port, string user, string secret) => $"""
        [DEFAULT]
        swift_dir = {folder}
        bind_ip = 127.0.0.1
        bind_port = {port}
        workers = 1
        user = {Environment.UserName}
        [pipeline:main]
        pipeline = catch_errors healthcheck cache s3api tempauth bulk slo symlink versioned_writes proxy-server
        [app:proxy-server]
        use = egg:swift#proxy
        account_autocreate = true
        allow_account_management = true
        [filter:catch_errors]
        use = egg:swift#catch_errors
        [filter:healthcheck]
        use = egg:swift#healthcheck
        [filter:cache]
        use = egg:swift#memcache
        memcache_servers = 127.0.0.1:1
        [filter:s3api]
        use = egg:swift#s3api
        location = us-east-1
        [filter:tempauth]
        use = egg:swift#tempauth
        user_{user} = {secret} .admin
        [filter:bulk]
        use = egg:swift#bulk
        [filter:slo]
        use = egg:swift#slo
        [filter:symlink]
        use = egg:swift#symlink
        [filter:versioned_writes]
        use = egg:swift#versioned_writes
        allow_object_versioning = true

        """;
}
