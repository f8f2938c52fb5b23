using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Wal.Status;

namespace PgBackup.PowerShell.Wal;

/// <summary>Tells what the server and the repository say of WAL archiving at this moment.</summary>
[Cmdlet(VerbsCommon.Get, "PgWalArchiveStatus")]
[OutputType(typeof(WalArchiveStatus))]
public sealed class GetPgWalArchiveStatusCommand : PgServerCmdlet
{
    private ServerConnectionSettings _server = null!;
    private RepositorySettings? _settings;

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _server = ResolveServer();
        try
        {
            _settings = ResolveRepository();
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotGiven")
        {
            _settings = null; // The server alone has much to say.
        }
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        await using ServerSession session = await ServerSession.OpenMaintenanceAsync(_server, cancellationToken);
        BackupRepository? repository = _settings is null ? null : BackupRepository.Open(_settings);
        await pipeline.WriteObjectAsync(await WalArchiveStatusReader.ReadAsync(session, repository, cancellationToken));
    }
}
