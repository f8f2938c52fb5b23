using System.Diagnostics;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench.Wal;

/// <summary>Who archives WAL and gives it back, by the commands that PostgreSQL would run.</summary>
internal abstract class WalContestant
{
    /// <summary>What the tables call it.</summary>
    public abstract string Name { get; }

    /// <summary>archive_command.</summary>
    public abstract string PushCommand { get; }

    /// <summary>restore_command.</summary>
    public abstract string FetchCommand { get; }

    /// <summary>What both need in their environment.</summary>
    public virtual IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>();

    /// <summary>An empty archive, nothing done ahead.</summary>
    public abstract Task ResetAsync(CancellationToken cancellationToken);

    /// <summary>Whether anything is fetched ahead from now on.</summary>
    public virtual bool FetchesAhead { get; set; } = true;

    /// <summary>The same archive, nothing done ahead.</summary>
    public virtual void EmptySpool()
    {
    }
}

/// <summary>The native command.</summary>
internal sealed class PgBackupWal(string name, string program, Func<int, RepositoryHome> home, string spool, string distinction = "") : WalContestant
{
    private RepositoryHome _home = home(0);
    private int _archives;

    public override string Name => distinction.Length == 0 ? name : $"{name}, {distinction}";

    public override string PushCommand => $"'{program}' push '%p' --repository '{_home.Repository}'";

    public override string FetchCommand => $"'{program}' fetch '%f' '%p' --repository '{_home.Repository}'";

    public override IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>(_home.Environment) 
    {
        ["WALG_PREFETCH_DIR"] = spool, ["WALG_DOWNLOAD_CONCURRENCY"] = FetchesAhead ? "8" : "0",
    };

    public override async Task ResetAsync(CancellationToken cancellationToken)
    {
        EmptySpool();
        _home = home(++_archives);
        await _home.PrepareAsync(cancellationToken);
    }

    public override void EmptySpool()
    {
        // What still fetches ahead would miss its folder.
        foreach (Process process in Process.GetProcessesByName(Path.GetFileName(program)))
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
        if (Directory.Exists(spool))
            Directory.Delete(spool, recursive: true);
        ServerAccount.Current.CreateFolder(spool);
    }
}

/// <summary>pgBackRest, a process for each file, or with processes that work ahead.</summary>
internal sealed class PgBackRestWal(string name, Func<int, PgBackRest> tool) : WalContestant
{
    private PgBackRest _tool = tool(0);
    private int _archives;

    public override string Name => name;

    public override string PushCommand => _tool.ArchiveCommand;

    public override string FetchCommand => _tool.RestoreCommand;

    public override async Task ResetAsync(CancellationToken cancellationToken)
    {
        _tool = tool(++_archives);
        await _tool.PrepareAsync(cancellationToken);
    }

    public override void EmptySpool() => _tool.EmptySpool();
}

/// <summary>cp, and no sync: the measure of the machine.</summary>
internal sealed class PlainCopy(string folder) : WalContestant
{
    public override string Name => "cp";

    public override string PushCommand => $"cp \"%p\" \"{folder}/%f\"";

    public override string FetchCommand => $"cp \"{folder}/%f\" \"%p\"";

    public override Task ResetAsync(CancellationToken cancellationToken)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        ServerAccount.Current.CreateFolder(folder);
        return Task.CompletedTask;
    }
}
