using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Postgres.WalRecords;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres;

/// <summary>One line of pg_waldump.</summary>
internal sealed record DumpedRecord(Lsn Start, Lsn Previous, uint Xid, string Manager, uint TotalLength, string Description);

/// <summary>The log as pg_waldump sees it, and our events in its words.</summary>
internal static partial class WalDump
{
    private static readonly string[] s_managers =
    [
        "XLOG", "Transaction", "Storage", "CLOG", "Database", "Tablespace", "MultiXact", "RelMap", "Standby", "Heap2", "Heap", "Btree", "Hash", "Gin",
        "Gist", "Sequence", "SPGist", "BRIN", "CommitTs", "ReplicationOrigin", "Generic", "LogicalMessage",
    ];

    public static string ManagerName(byte id) => s_managers[id];

    /// <summary>All records of a folder that start in a range.</summary>
    public static async Task<List<DumpedRecord>> ReadAsync(PostgresTools tools, string folder, TimelineId timeline, Lsn from, Lsn to)
    {
        ProcessStartInfo start = new(tools.Tool("pg_waldump"), ["-p", folder, "-t", timeline.ToString(), "-s", from.ToString(), "-e", to.ToString()]);
        start.Environment["LC_ALL"] = "C";
        start.Environment["TZ"] = "UTC";
        ToolResult result = (await ToolProcess.RunAsync(start)).EnsureSuccess();
        List<DumpedRecord> records = [];
        foreach (string line in result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            Match match = Line().Match(line);
            // Restore points with line breaks in their names take more than one line.
            if (!match.Success)
                continue;
            records.Add(new DumpedRecord(
                Lsn.Parse(match.Groups["lsn"].Value), Lsn.Parse(match.Groups["prev"].Value),
                uint.Parse(match.Groups["tx"].ValueSpan, CultureInfo.InvariantCulture), match.Groups["rmgr"].Value,
                uint.Parse(match.Groups["tot"].ValueSpan, CultureInfo.InvariantCulture), match.Groups["desc"].Value));
        }
        return records;
    }

    /// <summary>What pg_waldump's description begins with for an event.</summary>
    public static string Describe(WalEvent happened) => happened switch
    {
        WalTransactionEnd t => (t.IsCommit ? "COMMIT" : "ABORT") + (t.IsPrepared ? $"_PREPARED {t.Xid}: " : " ") + Clock(t.Time),
        WalRestorePoint p => $"RESTORE_POINT {p.Name}",
        WalCheckpoint c => string.Create(
            CultureInfo.InvariantCulture,
            $"CHECKPOINT_{(c.IsShutdown ? "SHUTDOWN" : "ONLINE")} redo {c.Redo}; tli {c.ThisTimeline}; prev tli {c.PreviousTimeline};"),
        WalEndOfRecovery e => $"END_OF_RECOVERY tli {e.ThisTimeline}; prev tli {e.PreviousTimeline}; time {Clock(e.Time)}",
        WalBackupEnd b => $"BACKUP_END {b.BackupStart}",
        WalSwitch => "SWITCH",
        WalOverwrittenRecord o => $"OVERWRITE_CONTRECORD lsn {o.OverwrittenStart}; time {Clock(o.Time)}",
        WalParameterChange c => $"PARAMETER_CHANGE max_connections={c.MaxConnections} max_worker_processes={c.MaxWorkerProcesses} "
            + $"max_wal_senders={c.MaxWalSenders} max_prepared_xacts={c.MaxPreparedTransactions} max_locks_per_xact={c.MaxLocksPerTransaction} "
            + $"wal_level={c.WalLevel.ToString().ToLowerInvariant()}",
        _ => throw new ArgumentException($"No words for {happened}.", nameof(happened)),
    };

    private static string Clock(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm:ss.ffffff 'UTC'", CultureInfo.InvariantCulture);

    [GeneratedRegex(
        @"\Armgr: (?<rmgr>\S+)\s+len \(rec/tot\):\s*[0-9]+/\s*(?<tot>[0-9]+), tx:\s*(?<tx>[0-9]+), lsn: (?<lsn>[0-9A-F/]+), prev (?<prev>[0-9A-F/]+), desc: (?<desc>.*)\z",
        RegexOptions.ExplicitCapture)]
    private static partial Regex Line();
}
