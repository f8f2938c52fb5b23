namespace PgBackup.TestServers;

/// <summary>The configuration of a Ceph of one host, without authentication among its own parts.</summary>
internal static class CephConfiguration
{
    // 32 random bytes are as good as these: it is the one key of the testing key management.
    private const string KmsKeyText = "cGdiYWNrdXAtdGVzdHMtMzItYnl0ZXMtb2Yta2V5LiE=";

    public static string Text(CephInstallation ceph, string folder, Guid id, string monitor, int port, int? tlsPort, int memoryGigabytes) =>
        $"""
        [global]
        fsid = {id}
        mon_host = {monitor}/0
        public_addr = 127.0.0.1
        cluster_addr = 127.0.0.1
        auth_cluster_required = none
        auth_service_required = none
        auth_client_required = none
        plugin_dir = {ceph.PluginFolder}
        erasure_code_dir = {ceph.PluginFolder}/erasure-code
        run_dir = {folder}/run
        admin_socket = {folder}/run/$name.asok
        pid_file =
        log_file = {folder}/log/$name.log
        log_to_stderr = false
        err_to_stderr = true
        mon_cluster_log_file = {folder}/log/cluster.log
        crash_dir = {folder}/run
        osd_pool_default_size = 1
        osd_pool_default_min_size = 1
        osd_pool_default_pg_num = 4
        osd_pool_default_pgp_num = 4
        osd_pool_default_pg_autoscale_mode = off
        osd_crush_chooseleaf_type = 0
        mon_allow_pool_size_one = true
        mon_max_pg_per_osd = 2000
        paxos_propose_interval = 0.02
        paxos_min_wait = 0.01
        mon_tick_interval = 1
        mon_osd_min_down_reporters = 1
        mon_warn_on_pool_no_redundancy = false
        mon_data_avail_crit = 1
        ms_dispatch_throttle_bytes = 0
        ms_mon_client_mode = crc
        [mon]
        mon_data = {folder}/mon
        mon_initial_members = a
        [osd]
        osd_data = {folder}/osd
        osd_class_dir = {ceph.ClassFolder}
        osd_objectstore = memstore
        memstore_device_bytes = {(long)memoryGigabytes << 30}
        osd_class_load_list = *
        osd_class_default_list = *
        osd_max_object_name_len = 2048
        osd_crush_initial_weight = 1
        osd_crush_update_on_start = true
        osd_client_message_size_cap = 1073741824
        [client.rgw.a]
        rgw_data = {folder}/run
        rgw_mime_types_file = {folder}/mime.types
        rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1{(tlsPort is null ? "" : $" ssl_endpoint=127.0.0.1:{tlsPort} ssl_certificate={folder}/server.pem ssl_private_key={folder}/server.key")}
        rgw_thread_pool_size = 64
        rgw_run_sync_thread = false
        rgw_enable_usage_log = false
        rgw_enable_ops_log = false
        rgw_max_chunk_size = 4194304
        rgw_put_obj_min_window_size = 33554432
        rgw_get_obj_window_size = 33554432
        rgw_dynamic_resharding = false
        rgw_crypt_require_ssl = false
        rgw_crypt_s3_kms_backend = testing
        rgw_crypt_s3_kms_encryption_keys = {CephServer.KmsKey}={KmsKeyText}
        rgw_gc_max_objs = 4
        rgw_gc_obj_min_wait = 1
        rgw_gc_processor_period = 5
        rgw_gc_processor_max_time = 60
        rgw_lc_max_objs = 4

        """;
}
