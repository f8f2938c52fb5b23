using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.Verification.Doctor;

/// <summary>Whether the store answers, knows us, and lets us look.</summary>
internal static class ConnectionChecks
{
    /// <summary>Asks the store what it is, and for one line of a listing.</summary>
    public static async Task<CheckFinding> ConnectionAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        context.Unusable = "Not tried: the store cannot be used."; // Until it has answered.
        try
        {
            context.Description = await context.Store.DescribeAsync(cancellationToken).ConfigureAwait(false);
            await foreach (StoredObject _ in context.Store.ListAsync(RepositoryLayout.PrivateFolder, recursive: false, cancellationToken).ConfigureAwait(false))
                break;
        }
        catch (PgBackupException error) when (error.Kind == ErrorKind.AuthenticationError || error.Id == "ProfileNotFound")
        {
            context.CredentialFailure = error;
        }
        catch (PgBackupException error) when (error.Kind == ErrorKind.PermissionDenied)
        {
            // It has answered; what it refuses is told by the check of that right.
        }
        context.Unusable = null;
        return Describe(context);
    }

    /// <summary>Whether the store accepts the credential; of a folder, whose it is.</summary>
    public static Task<CheckFinding> CredentialsAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (context.CredentialFailure is { } failure)
        {
            context.Unusable = "Not tried: the store does not accept our requests.";
            CheckFinding finding = CheckFinding.Failed(failure);
            return Task.FromResult(failure.Id == "StorageClockSkewed" ? finding with { Of = RepositoryCheckName.Clock } : finding);
        }
        return Task.FromResult(context.Settings.Storage is DirectorySettings directory ? OwnerOf(directory.Folder) : CheckFinding.Passed("The store accepts the credential."));
    }

    /// <summary>Tries to list what every command lists.</summary>
    public static async Task<CheckFinding> ListAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        int backups = 0;
        bool hasWal = false;
        await foreach (string _ in context.Store.ListFoldersAsync(RepositoryLayout.BackupFolder, cancellationToken).ConfigureAwait(false))
            backups++;
        await foreach (StoredObject _ in context.Store.ListAsync(RepositoryLayout.WalFolder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            hasWal = true;
            break;
        }
        return CheckFinding.Passed($"Listed: {Text.Count(backups, "folder of a backup", "folders of backups")}, {(hasWal ? "WAL" : "no WAL yet")}.");
    }

    private static CheckFinding Describe(DoctorContext context)
    {
        if (context.Settings.Storage is not S3Settings settings)
            return CheckFinding.Passed("The folder is there.");
        if (context.CredentialFailure?.Id is "StorageCredentialMissing" or "ProfileNotFound" or "ProfileUnusable")
            return CheckFinding.Skipped("Not asked: there is no credential to ask with.");
        if ((context.Description?.Endpoint ?? settings.EndpointUrl) is not { } endpoint)
            return CheckFinding.Passed("The store answers.");
        string? region = context.Description?.Region ?? settings.Region;
        string message = $"{endpoint.GetLeftPart(UriPartial.Authority)} answers{(region is null ? "" : $", region {region}")}.";
        return endpoint.Scheme == Uri.UriSchemeHttps || endpoint.IsLoopback
            ? CheckFinding.Passed(message)
            : CheckFinding.Warning(
                $"{message} The connection is not encrypted: whoever is on the way can read backups that are not encrypted themselves.",
                "Use an https:// address with -EndpointUrl or AWS_ENDPOINT_URL; WALG_S3_CA_CERT_FILE names the authority of a certificate of your own.");
    }

    private static CheckFinding OwnerOf(string folder)
    {
        if (OperatingSystem.IsWindows())
            return CheckFinding.Skipped("A folder needs no credential.");
        uint owner;
        try
        {
            owner = Posix.OwnerOf(folder).User;
        }
        catch (IOException error)
        {
            throw PgErrors.StorageReadFailed(folder, "", error);
        }
        string name = NameOf(owner);
        if (owner == Posix.User)
        {
            return owner != 0
                ? CheckFinding.Passed($"The folder belongs to this account, {name}.")
                : CheckFinding.Warning(
                    "The folder belongs to root, and so will all that is written: the server's account cannot archive WAL into it.",
                    $"If the server archives into it, give it to the server's account: chown -R postgres: '{folder}'");
        }
        return Posix.IsRoot
            ? CheckFinding.Passed($"The folder belongs to {name}; what root writes is given to that account.")
            : CheckFinding.Warning(
                $"The folder belongs to {name}, this is {NameOf(Posix.User)}: one may be unable to read or remove what the other writes.",
                $"Run as {name}, or as root, which gives what it writes to the folder's owner.");
    }

    private static string NameOf(uint user) => Posix.AccountName(user) ?? $"user {user}";
}
