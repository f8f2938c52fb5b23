using System.Collections;
using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Configuration.Handover;
using PgBackup.Errors;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.PowerShell.Wal;
using PgBackup.Restore.Planning;

namespace PgBackup.PowerShell.Restores;

/// <summary>A cmdlet that is given a recovery target: one parameter set for each kind.</summary>
public abstract class PgRestoreCmdlet : PgRepositoryCmdlet
{
    /// <summary>The parameter set of the end of the archived WAL, the default.</summary>
    protected const string LatestSet = "Latest";

    private const string ImmediateSet = "Immediate";
    private const string TimeSet = "Time";
    private const string LsnSet = "Lsn";
    private const string XidSet = "Xid";
    private const string NameSet = "RestorePoint";


    /// <summary>The moment to restore to: what was committed up to it is there. Local time unless an offset or zone is given.</summary>
    [Parameter(Mandatory = true, ParameterSetName = TimeSet)]
    [TargetTimeTransform]
    public DateTimeOffset TargetTime { get; set; }

    /// <summary>The position in the WAL to restore to, as PostgreSQL prints it.</summary>
    [Parameter(Mandatory = true, ParameterSetName = LsnSet)]
    [LsnTransform]
    public Lsn TargetLsn { get; set; }

    /// <summary>The transaction to restore to.</summary>
    [Parameter(Mandatory = true, ParameterSetName = XidSet)]
    public ulong TargetXid { get; set; }

    /// <summary>The restore point to restore to, made by pg_create_restore_point.</summary>
    [Parameter(Mandatory = true, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    [ValidateLength(1, 63)]
    public string? TargetName { get; set; }

    /// <summary>Restores to the first point at which the backup is consistent.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ImmediateSet)]
    public SwitchParameter Immediate { get; set; }

    /// <summary>Restores everything that is archived; so too without any target.</summary>
    [Parameter(ParameterSetName = LatestSet)]
    public SwitchParameter Latest { get; set; }

    /// <summary>Stops just before the target instead of just after.</summary>
    [Parameter(ParameterSetName = TimeSet)]
    [Parameter(ParameterSetName = LsnSet)]
    [Parameter(ParameterSetName = XidSet)]
    public SwitchParameter Exclusive { get; set; }

    /// <summary>The backup to begin with, or LATEST; chosen by the target when it is not given.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("BackupName")]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    /// <summary>The timeline to follow; the newest that leads on from the backup when it is not given.</summary>
    [Parameter]
    [ValidateRange(1, uint.MaxValue)]
    public uint? Timeline { get; set; }

    /// <summary>What the server does at the target: Promote (the default), Pause or Shutdown.</summary>
    [Parameter]
    public RecoveryTargetAction TargetAction { get; set; }

    /// <summary>Where tablespaces go: 'old=new', or a hashtable of old and new paths.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public object[]? TablespaceMapping { get; set; }

    /// <summary>Replaces a data directory of the same cluster that no server runs on.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Brings a data directory of the same cluster to the target in place, fetching only what differs.</summary>
    [Parameter]
    public SwitchParameter Delta { get; set; }

    /// <summary>Leaves archiving in the restored server as the cluster's configuration has it; it is off otherwise.</summary>
    [Parameter]
    public SwitchParameter KeepArchiving { get; set; }

    /// <summary>The command by which the server fetches WAL; Restore-PgWal from this repository when it is not given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? RestoreCommand { get; set; }

    /// <summary>
    /// Where the configuration of restore_command is written, when one is needed; a file of this restore in /etc/pgbackup when this runs as root, else in the folder of the account that owns the cluster.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ServerConfigPath { get; set; }

    /// <summary>What restore_command is told of the repository; null when the command was given.</summary>
    private protected CommandConfiguration? Handover { get; private set; }

    /// <summary>The account that was named as the owner of the restored cluster.</summary>
    private protected virtual string? OwnerName => null;

    /// <summary>The repository's settings.</summary>
    private protected RepositorySettings Settings { get; private set; } = null!;

    /// <summary>What was asked for.</summary>
    private protected RestoreRequest Request { get; private set; } = null!;

    /// <summary>The destination as it was given.</summary>
    private protected abstract string? Destination { get; }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        Settings = ResolveRepository();
        Request = new RestoreRequest
        {
            Target = Target(),
            Name = Name,
            Timeline = Timeline is { } number ? new TimelineId(number) : null,
            TargetAction = TargetAction,
            DataDirectory = Destination is null ? null : Path.TrimEndingDirectorySeparator(ResolveFolder(Destination)),
            TablespaceMapping = Mapping(),
            Force = Force,
            Delta = Delta,
            KeepArchiving = KeepArchiving,
            RestoreCommand = RestoreCommand ?? OwnCommand(),
        };
    }

    // It runs as the account that will own the cluster, in the environment of its server.
    private string OwnCommand()
    {
        string? destination = Destination is null ? null : ResolveFolder(Destination);
        CommandAccount account = (OwnerName is null ? null : CommandAccount.Named(OwnerName))
            ?? (destination is null ? null : CommandAccount.OwnerOf(destination) is { User: not 0 } owner ? owner : null)
            ?? (Platform.Posix.IsRoot ? CommandAccount.Named("postgres") : null)
            ?? CommandAccount.Current();
        Handover = CommandConfiguration.Plan(Settings, account, ServerConfigPath is null ? null : ResolveFolder(ServerConfigPath), CommandConfiguration.RestoreFileName(destination));
        return EntryCommand.For(EntryProgram.In(EntryScripts.FolderFor(this)), Handover).RestoreCommand;
    }

    private RestoreTarget Target() => ParameterSetName switch
    {
        TimeSet => RestoreTarget.AtTime(TargetTime, Exclusive),
        LsnSet => RestoreTarget.AtLsn(TargetLsn, Exclusive),
        XidSet => RestoreTarget.AtXid(TargetXid, Exclusive),
        NameSet => RestoreTarget.AtName(TargetName!),
        ImmediateSet => RestoreTarget.Immediate,
        _ => RestoreTarget.Latest,
    };

    private Dictionary<string, string> Mapping()
    {
        var mapping = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (object item in TablespaceMapping ?? [])
        {
            object value = item is PSObject wrapped ? wrapped.BaseObject : item;
            if (value is IDictionary table)
            {
                foreach (DictionaryEntry entry in table)
                    Add(mapping, entry.Key.ToString() ?? "", entry.Value?.ToString() ?? "");
            }
            else
            {
                string text = value.ToString() ?? "";
                int separator = text.IndexOf('=', StringComparison.Ordinal);
                if (separator < 1)
                    throw PgErrors.TablespaceMappingInvalid(text, "there is no '=' between an old and a new path.");
                Add(mapping, text[..separator], text[(separator + 1)..]);
            }
        }
        return mapping;
    }

    private void Add(Dictionary<string, string> mapping, string old, string target)
    {
        string source = Path.TrimEndingDirectorySeparator(old);
        if (target.Length == 0)
            throw PgErrors.TablespaceMappingInvalid($"{old}=", "the new path is empty.");
        if (!mapping.TryAdd(source, Path.TrimEndingDirectorySeparator(ResolveFolder(target))))
            throw PgErrors.TablespaceMappingInvalid($"{old}={target}", $"'{source}' is mapped twice.");
    }
}
