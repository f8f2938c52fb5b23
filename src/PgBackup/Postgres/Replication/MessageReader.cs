using System.Buffers.Binary;
using System.Text;

namespace PgBackup.Postgres.Replication;

/// <summary>Reads the fields of one message's body; what is not there is a <see cref="ProtocolViolationException"/>.</summary>
internal ref struct MessageReader(ReadOnlySpan<byte> body)
{
    private ReadOnlySpan<byte> _rest = body;

    /// <summary>What was not read yet.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>Int16.</summary>
    public int Int16() => BinaryPrimitives.ReadInt16BigEndian(Bytes(2));

    /// <summary>Int32.</summary>
    public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Bytes(4));

    /// <summary>So many bytes.</summary>
    public ReadOnlySpan<byte> Bytes(int count)
    {
        if (count < 0 || count > _rest.Length)
            throw new ProtocolViolationException("a message ends too early");
        ReadOnlySpan<byte> bytes = _rest[..count];
        _rest = _rest[count..];
        return bytes;
    }

    /// <summary>A text up to its zero byte.</summary>
    public string Text()
    {
        int end = _rest.IndexOf((byte)0);
        string text = Encoding.UTF8.GetString(Bytes(end));
        _rest = _rest[1..];
        return text;
    }

    /// <summary>The bytes of a DataRow's last column; null for SQL null.</summary>
    public byte[]? LastField()
    {
        byte[]? field = null;
        int columns = Int16();
        for (int i = 0; i < columns; i++)
        {
            int length = Int32();
            field = length < 0 ? null : Bytes(length).ToArray();
        }
        return field;
    }

    /// <summary>The columns of a DataRow in their text form; null for SQL null.</summary>
    public string?[] Row()
    {
        int columns = Int16();
        if (columns < 0)
            throw new ProtocolViolationException("a row has a negative number of columns");
        string?[] row = new string?[columns];
        for (int i = 0; i < row.Length; i++)
        {
            int length = Int32();
            row[i] = length < 0 ? null : Encoding.UTF8.GetString(Bytes(length));
        }
        return row;
    }
}
