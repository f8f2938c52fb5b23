using System.Management.Automation;
using System.Net;
using System.Security;
using PgBackup.Configuration;

namespace PgBackup.PowerShell.Parameters;

/// <summary>Takes a key as a SecureString, or as the path of its file. It is read later, so that what is wrong with it is an error of the catalogue.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class EncryptionKeyTransformAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData)
    {
        object? input = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        return input switch
        {
            SecureString secret => EncryptionKeySource.Text(new SecretText(new NetworkCredential("", secret).Password)),
            FileInfo file => EncryptionKeySource.File(file.FullName),
            string path => EncryptionKeySource.File(path),
            // As New-PgBackupKey writes it.
            EncryptionKeyInfo made => EncryptionKeySource.File(made.Path),
            _ => input,
        };
    }
}
