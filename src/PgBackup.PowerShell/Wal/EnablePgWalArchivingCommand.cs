using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Configuration.Handover;
using PgBackup.Postgres.Server;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Wal.Archiving;

namespace PgBackup.PowerShell.Wal;

/// <summary>Turns WAL archiving into the repository on: sets what is needed by ALTER SYSTEM and says what the server still needs.</summary>
[Cmdlet(VerbsLifecycle.Enable, "PgWalArchiving", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(WalArchivingSetting))]
public sealed class EnablePgWalArchivingCommand : PgServerCmdlet
{
    private ServerConnectionSettings _server = null!;
    private RepositorySettings? _settings;
    private string? _scripts;
    private bool _isWhatIf;
    private string? _serverConfigPath;

    /// <summary>How long a segment waits at most before it is archived; the server's own bound, or 60 s where it has none.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan? ArchiveTimeout { get; set; }

    /// <summary>The command to set as archive_command in place of the module's own.</summary>
    [Parameter]
    [Alias("Command")]
    [ValidateNotNullOrEmpty]
    public string? ArchiveCommand { get; set; }

    /// <summary>
    /// Where the configuration of the server's commands is written, when one is needed; /etc/pgbackup/config.yaml when this runs as root, else the file of the server's account.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ServerConfigPath { get; set; }

    /// <summary>Leaves the reload of the server's configuration to somebody else.</summary>
    [Parameter]
    public SwitchParameter NoReload { get; set; }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _server = ResolveServer();
        _isWhatIf = this.IsWhatIf();
        if (ArchiveCommand is not null)
            return;
        _settings = ResolveRepository();
        _scripts = EntryScripts.FolderFor(this);
        _serverConfigPath = ServerConfigPath is null ? null : ResolveFolder(ServerConfigPath);
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        await using ServerSession session = await ServerSession.OpenMaintenanceAsync(_server, cancellationToken);
        CommandConfiguration? configuration = null;
        EntryCommand? entry = null;
        if (_settings is not null)
        {
            await WalArchiving.RequireIdentityAsync(session, BackupRepository.Open(_settings), cancellationToken);
            configuration = CommandConfiguration.Plan(_settings, await CommandAccess.AccountOfAsync(session, _settings, cancellationToken), _serverConfigPath);
            configuration.RequireUsable();
            entry = EntryCommand.For(EntryProgram.In(_scripts!), configuration);
        }
        WalArchivingPlan plan = await WalArchiving.PlanAsync(session, ArchiveCommand ?? entry!.ArchiveCommand, ArchiveTimeout, cancellationToken);
        foreach (string warning in plan.Warnings)
            pipeline.Log.Warning(warning);
        if (entry is not null && WalArchiving.KeyWarning(entry) is { } keyWarning)
            pipeline.Log.Warning(keyWarning);
        if (configuration is not null && !await HandOverAsync(session, entry!, configuration, pipeline, cancellationToken))
            plan = plan with { Settings = [.. plan.Settings.Where(setting => setting.Name != "archive_command")] };

        var confirmed = new List<WalArchivingSetting>();
        foreach (WalArchivingSetting setting in plan.Settings)
        {
            if (!setting.IsChanged || await pipeline.ShouldProcessAsync($"{setting.Name} of the server {setting.Server}", $"Change '{setting.OldValue}' to '{setting.NewValue}'"))
                confirmed.Add(setting);
        }
        // Under -WhatIf nothing was confirmed: the plan is what there is to show.
        bool act = confirmed.Exists(setting => setting.IsChanged);
        IReadOnlyList<WalArchivingSetting> settings = act
            ? await WalArchiving.ApplyAsync(session, plan with { Settings = confirmed }, !NoReload, cancellationToken)
            : plan.Settings;
        await pipeline.WriteObjectAsync(settings, enumerate: true);
        if (act && settings.Any(setting => setting.Needs == SettingNeeds.Restart))
            pipeline.Log.Warning($"The server {session.Server} must be restarted before it archives.");
    }

    // False when a file was declined, without which the command must not be set. Under -WhatIf everything is declined, and all there is to show is shown.
    private async Task<bool> HandOverAsync(ServerSession session, EntryCommand entry, CommandConfiguration configuration, IPipeline pipeline, CancellationToken cancellationToken)
    {
        bool confirmed = true;
        foreach (PlannedFile file in configuration.Files)
            confirmed &= await pipeline.ShouldProcessAsync(file.Path, file.IsSecret ? "Write a secret for the server's account" : "Write the configuration of archive_command");
        if (!confirmed)
            return _isWhatIf;
        configuration.Write();
        foreach (PlannedFile file in configuration.Files.Where(file => file.IsSecret))
            pipeline.Log.Warning($"A secret for the server's account was written to '{file.Path}' (0600), to which the configuration '{configuration.ConfigPath}' refers.");
        if (configuration.ConfigPath is { } path)
            pipeline.Log.Information($"archive_command uses the configuration '{path}'.");
        await CommandAccess.ProveAsync(session, entry, configuration, cancellationToken);
        return true;
    }
}
