using System.Globalization;
using System.Management.Automation;
using System.Text.RegularExpressions;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.PowerShell.Parameters;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>
/// A cmdlet that works on a repository and talks to a server, of which it says itself to which databases. What is not given comes from libpq's environment and files.
/// </summary>
public abstract partial class PgConnectionCmdlet : PgRepositoryCmdlet
{
    /// <summary>The server: a host name, an address, the folder of its socket, or a name of the configuration file.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("Host", "Server", "ComputerName")]
    [ValidateNotNullOrEmpty]
    public string? HostName { get; set; }

    /// <summary>The server's port.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateRange(1, 65535)]
    public int? Port { get; set; }

    /// <summary>The role to log in as, when its password comes from elsewhere or none is needed.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? UserName { get; set; }

    /// <summary>The role and its password.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>Whether the connection is encrypted and how the server proves who it is.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [SslModeTransform]
    public ServerSslMode? SslMode { get; set; }

    /// <summary>A connection string: postgresql://user@host/database, libpq's key=value, or Npgsql's form; the other parameters go before what it says.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ConnectionString { get; set; }

    /// <summary>The database that a parameter names; null when none does.</summary>
    private protected virtual string? ConnectionDatabase => null;

    /// <summary>What parameters and configuration say of the server; call it from <see cref="AsyncPgCmdlet.Prepare"/>.</summary>
    protected ServerConnectionSettings ResolveServer() => ResolveServerChoice().Connection;

    /// <summary>As <see cref="ResolveServer"/>, with all that is known of the server; call it from <see cref="AsyncPgCmdlet.Prepare"/>.</summary>
    private protected ServerChoice ResolveServerChoice() => ServerChoice.Resolve(ArgumentsForServer());

    /// <summary>
    /// Another server by one word: a connection string, else a host, <c>host:port</c> or a name of the configuration file, with this command's role and SSL mode.
    /// </summary>
    private protected ServerConnectionSettings ResolveOtherServer(string text)
    {
        ServerArguments own = ArgumentsForServer();
        Match hostAndPort = HostAndPort().Match(text);
        ServerConnectionSettings connection = text.Contains('=', StringComparison.Ordinal) || text.Contains("://", StringComparison.Ordinal)
            ? new ServerConnectionSettings { ConnectionString = text }
            : own.Connection with
            {
                ConnectionString = null,
                Database = null,
                HostName = hostAndPort.Success ? hostAndPort.Groups[1].Value : text,
                Port = hostAndPort.Success ? int.Parse(hostAndPort.Groups[2].Value, CultureInfo.InvariantCulture) : null,
            };
        return ServerChoice.Resolve(own with { Connection = connection }).Connection;
    }

    // Not an address of IPv6, which has more colons.
    [GeneratedRegex(@"^([^:]+):(\d{1,5})\z")]
    private static partial Regex HostAndPort();

    /// <summary>What the parameters say of the server. Pipeline's thread only.</summary>
    private protected ServerArguments ArgumentsForServer()
    {
        if (Credential is not null && UserName is not null && Credential.UserName != UserName)
            throw PgErrors.ConnectionSettingsInvalid($"-UserName says '{UserName}' and -Credential says '{Credential.UserName}'.");
        return new ServerArguments
        {
            Connection = new ServerConnectionSettings
            {
                HostName = HostName,
                Port = Port,
                UserName = Credential?.UserName ?? UserName,
                Database = ConnectionDatabase,
                Password = Credential?.GetNetworkCredential().Password,
                SslMode = SslMode?.ToString(),
                ConnectionString = ConnectionString,
            },
            ConfigPath = ResolvedConfigPath,
            WorkingFolder = WorkingFolder,
        };
    }
}
