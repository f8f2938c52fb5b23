namespace PgBackup.Errors;

/// <summary>Failures of object storage, each with what to do about it.</summary>
public static partial class PgErrors
{
    internal static PgBackupException BucketNotFound(string location, string bucket, Exception inner) => new(
        "RepositoryNotFound", ErrorKind.ObjectNotFound, ExitCodes.RepositoryMissing,
        $"The bucket '{bucket}' of the repository '{location}' does not exist at this store.",
        "Check the bucket's name, -EndpointUrl (AWS_ENDPOINT) and the account; buckets are not created by PgBackup.", location, inner);

    internal static PgBackupException StorageCredentialMissing(string location, Exception? inner) => new(
        "StorageCredentialMissing", ErrorKind.AuthenticationError, ExitCodes.BadConfiguration,
        $"No credential was found for the repository '{location}'.",
        "Give -StorageCredential or -ProfileName, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; archive_command runs with the server's environment, not yours.",
        location, inner);

    internal static PgBackupException ProfileNotFound(string profile, string? file) => new(
        "ProfileNotFound", ErrorKind.ObjectNotFound, ExitCodes.BadConfiguration,
        file is null
            ? $"The profile '{profile}' is neither in the shared credentials file nor in the shared configuration file of this account."
            : $"The profile '{profile}' is neither in '{file}' nor in the shared configuration file of this account.",
        "Check -ProfileName or AWS_PROFILE, and AWS_SHARED_CREDENTIALS_FILE; the files that count are those of the account that runs the command.", profile);

    internal static PgBackupException ProfileUnusable(string profile, Exception inner) => new(
        "ProfileUnusable", ErrorKind.AuthenticationError, ExitCodes.BadConfiguration,
        $"The profile '{profile}' gives no credential: {inner.Message}",
        "Complete the profile: keys, or role_arn with source_profile, web_identity_token_file or credential_process.", profile, inner);

    internal static PgBackupException StorageClockSkewed(string location, TimeSpan? skew, Exception inner) => new(
        "StorageClockSkewed", ErrorKind.AuthenticationError, ExitCodes.Failed,
        skew is { } difference
            ? $"The store of '{location}' refuses requests, because this machine's clock is {Math.Abs(difference.TotalMinutes):0} minutes {(difference > TimeSpan.Zero ? "behind" : "ahead of")} its own."
            : $"The store of '{location}' refuses requests, because this machine's clock and its own differ too much.",
        "Set the clock (timedatectl set-ntp true); signatures are good for 15 minutes only.", location, inner);

    internal static PgBackupException StorageAccessKeyUnknown(string location, Exception inner) => new(
        "StorageAccessKeyUnknown", ErrorKind.AuthenticationError, ExitCodes.BadConfiguration,
        $"The store of '{location}' does not know the access key.",
        "Check the access key id (AWS_ACCESS_KEY_ID, -StorageCredential, the profile) and that it belongs to this endpoint.", location, inner);

    internal static PgBackupException StorageSecretWrong(string location, Exception inner) => new(
        "StorageSecretWrong", ErrorKind.AuthenticationError, ExitCodes.BadConfiguration,
        $"The store of '{location}' knows the access key, but not the secret that it was used with.",
        "Check the secret access key (AWS_SECRET_ACCESS_KEY, -StorageCredential, the profile), also for stray blanks at its ends.", location, inner);

    internal static PgBackupException StorageCredentialExpired(string location, Exception inner) => new(
        "StorageCredentialExpired", ErrorKind.AuthenticationError, ExitCodes.Failed,
        $"The credential for the repository '{location}' has expired.",
        "Renew the session token (AWS_SESSION_TOKEN), or use a profile, role or web identity, which renew themselves.", location, inner);

    internal static PgBackupException StorageAccessDenied(string location, string action, string key, Exception inner) => new(
        "StorageAccessDenied", ErrorKind.PermissionDenied, ExitCodes.Failed,
        key.Length == 0
            ? $"The store refuses {action} in the repository '{location}'."
            : $"The store refuses {action} for '{key}' in the repository '{location}'.",
        $"Allow {action} to this credential in its policy and in the bucket's; Test-PgBackupRepository tells which rights are missing.",
        key.Length == 0 ? location : key, inner);

    internal static PgBackupException StorageRegionWrong(string location, string used, string? right, Exception inner) => new(
        "StorageRegionWrong", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        right is null
            ? $"The bucket of '{location}' is not in the region '{used}'."
            : $"The bucket of '{location}' is in the region '{right}', not in '{used}'.",
        right is null ? "Give the bucket's region as -Region or in AWS_REGION." : $"Give -Region {right} or set AWS_REGION={right}.", location, inner);

    internal static PgBackupException StorageUnreachable(string location, Uri? endpoint, string reason, Exception inner) => new(
        "StorageUnreachable", ErrorKind.ConnectionError, ExitCodes.Failed,
        $"The store of '{location}' cannot be reached{At(endpoint)}: {reason}",
        "Check -EndpointUrl (AWS_ENDPOINT), the network, the proxy (HTTPS_PROXY) and the firewall, then run the command again.", location, inner);

    internal static PgBackupException StorageCertificateRefused(string location, Uri? endpoint, string reason, Exception inner) => new(
        "StorageCertificateRefused", ErrorKind.SecurityError, ExitCodes.BadConfiguration,
        $"The certificate of the store of '{location}'{At(endpoint)} is not trusted: {reason}",
        "Put the certificate of its authority into a PEM file and name it in WALG_S3_CA_CERT_FILE; an address that begins with https:// must be one that speaks TLS.",
        location, inner);

    internal static PgBackupException CaCertificateFileUnusable(string file, string reason, Exception? inner) => new(
        "CaCertificateFileUnusable", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The file of certificate authorities '{file}' cannot be used: {reason}",
        "Name a readable file with certificates in PEM form in WALG_S3_CA_CERT_FILE.", file, inner);

    internal static PgBackupException ObjectLocked(string location, string key, Exception inner) => new(
        "ObjectLocked", ErrorKind.PermissionDenied, ExitCodes.Failed,
        $"The object '{key}' in the repository '{location}' is held by an object lock and cannot be deleted or replaced.",
        "Wait until its retention has ended, or remove its legal hold; nothing else was harmed.", key, inner);

    internal static PgBackupException StorageKeyServiceFailed(string location, string? keyId, string reason, Exception inner) => new(
        "StorageKeyServiceFailed", ErrorKind.SecurityError, ExitCodes.Failed,
        $"The store of '{location}' cannot use the encryption key{(keyId is null ? "" : $" '{keyId}'")}: {reason}",
        "Check WALG_S3_SSE and WALG_S3_SSE_KMS_ID, that the key is enabled, and that this credential may use it (kms:GenerateDataKey, kms:Decrypt).",
        location, inner);

    internal static PgBackupException StorageNeedsTls(string location) => new(
        "StorageNeedsTls", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The customer's key of SSE-C would go in the open to the store of '{location}', whose endpoint does not speak TLS.",
        "Give an endpoint that begins with https://, or use the repository's own encryption in place of WALG_S3_SSE_C.", location);

    internal static PgBackupException ObjectLockRefused(string location, string bucket, string reason, Exception inner) => new(
        "ObjectLockRefused", ErrorKind.InvalidOperation, ExitCodes.BadConfiguration,
        $"The store of '{location}' does not take objects with a retention: {reason}",
        $"Enable object lock on the bucket '{bucket}' (with most stores only when it is created), or leave S3_RETENTION_PERIOD out.", location, inner);

    internal static PgBackupException StorageFull(string location, string key, string reason, Exception inner) => new(
        "StorageFull", ErrorKind.ResourceUnavailable, ExitCodes.Failed,
        $"The store of '{location}' has no room for '{key}': {reason}",
        "Make room (Remove-PgBackup), or have the quota raised.", key, inner);

    internal static PgBackupException StorageConfirmationFailed(string location, string key, string difference) => new(
        "StorageConfirmationFailed", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The store said that '{key}' was stored in the repository '{location}', but what lies there is not what was sent: {difference}",
        "The upload does not count. Run the command again; if it happens again, this store, or something on the way to it, changes content.", key);

    internal static PgBackupException ObjectChanged(string location, string key, Exception? inner) => new(
        "ObjectChanged", ErrorKind.ReadError, ExitCodes.Failed,
        $"The object '{key}' in the repository '{location}' was replaced or removed while it was being read.",
        "Run the command again; if it happens again, find out who else writes to this repository.", key, inner);

    internal static PgBackupException DeletionIncomplete(string location, IReadOnlyList<string> keys, int asked, string reason, Exception? inner) => new(
        "StorageDeletionIncomplete", ErrorKind.WriteError, ExitCodes.Failed,
        $"{keys.Count} of {asked} objects of the repository '{location}' were not deleted, '{keys[0]}'{(keys.Count > 1 ? $" and '{keys[^1]}'" : "")} among them: {reason}",
        "Run the command again; what was deleted is no longer listed.", keys, inner);

    internal static PgBackupException DeletionDenied(string location, IReadOnlyList<string> keys, int asked, Exception inner) => new(
        "StorageAccessDenied", ErrorKind.PermissionDenied, ExitCodes.Failed,
        $"The store refuses s3:DeleteObject for {keys.Count} of {asked} objects of the repository '{location}', '{keys[0]}' among them.",
        "Allow s3:DeleteObject to this credential in its policy and in the bucket's; Test-PgBackupRepository tells which rights are missing.",
        keys, inner);

    private static string At(Uri? endpoint) => endpoint is null ? "" : $" at {endpoint.GetLeftPart(UriPartial.Authority)}";
}
