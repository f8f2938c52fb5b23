using PgBackup.Errors;

namespace PgBackup.Codecs.Gpg;

/// <summary>
/// Opens what WAL-G encrypted with PGP, through the program gpg: one process an object, its input and output streamed. A key that comes by a setting has a key ring of its own, which
/// is made when it is first needed and removed when no object has been open for a while, or when this process ends.
/// </summary>
public sealed class GpgDecryption : ForeignDecryption
{
    private readonly GpgSettings _settings;
    private readonly GpgHome? _home;

    /// <summary>Nothing is started yet.</summary>
    public GpgDecryption(GpgSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _settings = settings;
        _home = settings.Key is { } key ? new GpgHome(key, settings.Source) : null;
    }

    /// <inheritdoc/>
    /// <remarks>Throws <c>GpgMissing</c>, <c>EncryptionKeyInvalid</c> for a key that gpg does not take.</remarks>
    public override Stream Open(Stream stored, string objectName)
    {
        GpgHome.Lease? lease = null;
        try
        {
            lease = _home?.Acquire();
            return new GpgStream(GpgProgram.StartDecryption(lease?.Folder, _settings.Passphrase is not null), stored, objectName, _settings.Passphrase, lease);
        }
        catch
        {
            lease?.Dispose();
            stored.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override void RequireWritable() => throw PgErrors.PgpCannotBeWritten(_settings.Source);

    /// <inheritdoc/>
    public override string ToString() => $"(PGP key of {_settings.Source})";
}
