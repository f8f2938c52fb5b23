using System.Net.Sockets;
using Amazon.Runtime;
using Amazon.Runtime.CredentialManagement;
using Amazon.Runtime.Credentials;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>
/// Who asks: the credential given, else the profile named, else the SDK's chain (environment, web identity, AWS_PROFILE or the default
/// profile, container, instance role). A chain that cannot lead anywhere is found out at once, not by waiting for an instance's metadata.
/// </summary>
internal static class S3Credentials
{
    private static readonly TimeSpan s_metadataPatience = TimeSpan.FromSeconds(2.5); // A packet that was lost is sent again after one.

    /// <summary>Finds the credentials; throws <c>ProfileNotFound</c>, <c>ProfileUnusable</c> or <c>StorageCredentialMissing</c>.</summary>
    public static async Task<AWSCredentials> ResolveAsync(S3Settings settings, CancellationToken cancellationToken)
    {
        if (settings.Credential is { } given)
        {
            return given.SessionToken is null
                ? new BasicAWSCredentials(given.AccessKey, given.SecretKey.Reveal())
                : new SessionAWSCredentials(given.AccessKey, given.SecretKey.Reveal(), given.SessionToken.Reveal());
        }
        var profiles = new CredentialProfileStoreChain(settings.CredentialsFile);
        if (settings.ProfileName is { } named)
            return OfProfile(profiles, named, settings.CredentialsFile);

        // One that is named in the environment must exist even where the environment's keys go before it.
        string? ofEnvironment = Variable("AWS_PROFILE");
        AWSCredentials? ofProfile = ofEnvironment is null ? null : OfProfile(profiles, ofEnvironment, settings.CredentialsFile);
        if (Variable("AWS_ACCESS_KEY_ID") is null && Variable("AWS_WEB_IDENTITY_TOKEN_FILE") is null)
        {
            if (ofProfile is not null)
                return ofProfile;
            if (Find(profiles, "default")?.CanCreateAWSCredentials == true)
                return OfProfile(profiles, "default", settings.CredentialsFile);
            bool hasContainer = Variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") is not null || Variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") is not null;
            if (!hasContainer && !await HasInstanceMetadataAsync(cancellationToken).ConfigureAwait(false))
                throw PgErrors.StorageCredentialMissing(settings.Location, null);
        }
        try
        {
            return await DefaultAWSCredentialsIdentityResolver.GetCredentialsAsync().ConfigureAwait(false);
        }
        catch (Exception error) when (error is AmazonClientException or ArgumentException or InvalidOperationException)
        {
            throw PgErrors.StorageCredentialMissing(settings.Location, error);
        }
    }

    /// <summary>True when no service has to be asked for the credentials: they lie in settings, environment or files as they are.</summary>
    public static bool AreAtHand(S3Settings settings)
    {
        if (settings.Credential is not null)
            return true;
        if (settings.ProfileName is null && Variable("AWS_ACCESS_KEY_ID") is not null)
            return true;
        return Variable("AWS_WEB_IDENTITY_TOKEN_FILE") is null
            && ProfileOf(settings)?.Options is { AccessKey.Length: > 0, SecretKey.Length: > 0, RoleArn: null or "", SourceProfile: null or "" };
    }

    /// <summary>The profile that settles what the settings leave open; null when there is none.</summary>
    public static CredentialProfile? ProfileOf(S3Settings settings)
    {
        string name = settings.ProfileName ?? Variable("AWS_PROFILE") ?? "default";
        return Find(new CredentialProfileStoreChain(settings.CredentialsFile), name);
    }

    /// <summary>A variable of the environment; null also when it is empty.</summary>
    public static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static AWSCredentials OfProfile(CredentialProfileStoreChain profiles, string name, string? file)
    {
        CredentialProfile profile = Find(profiles, name) ?? throw PgErrors.ProfileNotFound(name, file);
        try
        {
            return profile.GetAWSCredentials(profiles);
        }
        catch (Exception error) when (IsOfProfile(error))
        {
            throw PgErrors.ProfileUnusable(name, error);
        }
    }

    private static CredentialProfile? Find(CredentialProfileStoreChain profiles, string name)
    {
        try
        {
            return profiles.TryGetProfile(name, out CredentialProfile? profile) ? profile : null;
        }
        catch (Exception error) when (IsOfProfile(error))
        {
            throw PgErrors.ProfileUnusable(name, error);
        }
    }

    private static bool IsOfProfile(Exception error) =>
        error is AmazonClientException or ArgumentException or InvalidOperationException or InvalidDataException or IOException or UnauthorizedAccessException;

    /// <summary>Whether anything answers where an instance's metadata would be. Source: "Use the Instance Metadata Service", EC2 User Guide.</summary>
    private static async Task<bool> HasInstanceMetadataAsync(CancellationToken cancellationToken)
    {
        if (string.Equals(Variable("AWS_EC2_METADATA_DISABLED"), "true", StringComparison.OrdinalIgnoreCase))
            return false;
        var address = new Uri(Variable("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? "http://169.254.169.254");
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(s_metadataPatience);
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(address.Host, address.Port, patience.Token).ConfigureAwait(false);
            return true;
        }
        catch (SocketException)
        {
            return false; // Not on an instance.
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false; // The same, where packets to it vanish.
        }
    }
}
