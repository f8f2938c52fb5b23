using System.Management.Automation;
using System.Net;
using System.Security;
using PgBackup.Configuration;
using PgBackup.PowerShell.Pipeline;

namespace PgBackup.PowerShell.Repositories;

/// <summary>Makes an encryption key: into a new file that only its owner may read, or as a SecureString. The key itself is never written to the pipeline.</summary>
[Cmdlet(VerbsCommon.New, "PgBackupKey", DefaultParameterSetName = PathSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(EncryptionKeyInfo), ParameterSetName = [PathSet])]
[OutputType(typeof(SecureString), ParameterSetName = [SecureSet])]
public sealed class NewPgBackupKeyCommand : AsyncPgCmdlet
{
    private const string PathSet = "Path";
    private const string SecureSet = "SecureString";

    private string _path = "";

    /// <summary>The file to write; it must not exist.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>Gives the key as a SecureString and writes no file.</summary>
    [Parameter(Mandatory = true, ParameterSetName = SecureSet)]
    public SwitchParameter AsSecureString { get; set; }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        if (Path is not null)
            _path = FilePath.Resolve(this, Path);
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        if (ParameterSetName == SecureSet)
        {
            if (!AsSecureString || !await pipeline.ShouldProcessAsync("a SecureString", "Make an encryption key"))
                return;
            SecureString secret = NewEncryptionKey.Secret(static text => new NetworkCredential("", text).SecurePassword);
            secret.MakeReadOnly();
            await pipeline.WriteObjectAsync(secret);
        }
        else
        {
            if (!await pipeline.ShouldProcessAsync(_path, "Write a new encryption key"))
                return;
            await pipeline.WriteObjectAsync(NewEncryptionKey.Create(_path));
        }
        pipeline.Log.Warning("Without the key nothing that is encrypted with it can be restored. Keep a copy of it apart from the backups and from this machine.");
    }
}
