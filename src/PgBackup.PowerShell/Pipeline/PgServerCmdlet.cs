using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.PowerShell.Parameters;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>A cmdlet that works on a repository and talks to a server. What is not given comes from libpq's environment and files.</summary>
public abstract class PgServerCmdlet : PgRepositoryCmdlet
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

    /// <summary>The database to connect to.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? Database { get; set; }

    /// <summary>The role and its password.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>Whether the connection is encrypted and how the server proves who it is.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [SslModeTransform]
    public ServerSslMode? SslMode { get; set; }

    /// <summary>A connection string in Npgsql's form; the other parameters go before what it says.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ConnectionString { get; set; }

    /// <summary>What parameters and configuration say of the server; call it from <see cref="AsyncPgCmdlet.Prepare"/>.</summary>
    protected ServerConnectionSettings ResolveServer() => ResolveServerChoice().Connection;

    /// <summary>As <see cref="ResolveServer"/>, with all that is known of the server; call it from <see cref="AsyncPgCmdlet.Prepare"/>.</summary>
    private protected ServerChoice ResolveServerChoice() => ServerChoice.Resolve(ArgumentsForServer());

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
                Database = Database,
                Password = Credential?.GetNetworkCredential().Password,
                SslMode = SslMode?.ToString(),
                ConnectionString = ConnectionString,
            },
            ConfigPath = ResolvedConfigPath,
            WorkingFolder = WorkingFolder,
        };
    }
}
